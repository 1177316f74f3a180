// The foot of a customer's page: [Korean, English].
export const words = {
  "wallet.label": ["내 포인트와 쿠폰", "My points and coupons"],
  "wallet.points": ["포인트", "Points"],
  "wallet.points.n": ["{points}P", "{points} P"],
  "wallet.coupons": ["쓸 수 있는 쿠폰", "Coupons"],
  "wallet.coupons.n": ["{count}장", "{count}"],
  "wallet.soon": ["{points}P는 {when}까지 쓸 수 있어요.", "{points} points run out on {when}."],
};
