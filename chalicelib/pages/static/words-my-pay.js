// Paying on /my: [Korean, English].
export const words = {
  "pay.title": ["첫 달 요금 결제", "Pay the first month"],
  "pay.lead": ["카드 정보는 결제사로 바로 가고 우리에게 남지 않아요.", "Your card goes straight to the payment service; we never keep its number."],
  "pay.price": ["결제 금액 확인하기", "Work out what I pay"],
  "pay.priced": ["이 금액으로 결제해요", "This is what you pay"],
  "pay.until": ["{minutes}분 동안 이 금액을 잡아 두었어요 ({when}까지).", "This price is held for {minutes} more minutes (until {when})."],
  "pay.over": ["잡아 둔 시간이 끝났어요. 결제를 누르면 다시 계산해 드려요.", "The time has run out. Press pay, and we work it out again."],
  "pay.again": ["쿠폰·포인트 다시 고르기", "Change coupon or points"],
  "pay.go": ["{amount} 결제하기", "Pay {amount}"],
  "pay.free": ["카드 없이 결제 마치기", "Finish without a card"],
  "pay.free.lead": ["쿠폰과 포인트로 모두 낼 수 있어요. 카드로 나가는 돈은 없어요.", "Your coupon and points cover all of it. Nothing goes to a card."],
  "pay.done": ["결제했어요. 곧 계약이 확정돼요.", "Paid. Your contract is confirmed in a moment."],
  "pay.soon": ["결제를 처리하고 있어요. 저절로 끝나니 다시 결제하지 마세요.", "Your payment is being processed. It settles by itself; please do not pay again."],
};
