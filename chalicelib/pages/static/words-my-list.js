// Several contracts on /my, or none: [Korean, English].
export const words = {
  "list.title": ["어느 계약을 볼까요?", "Which contract?"],
  "list.more": ["더 보기", "Show more"],

  "none.title": ["아직 계약이 없어요", "You have no contract yet"],
  "none.go": ["요금제 보기", "See our plans"],
  "none.lead": ["마음에 드는 차를 골라 휴대폰으로 바로 계약할 수 있어요.", "Choose a car and sign right here on your phone."],

  "gone.title": ["계약을 찾을 수 없어요", "We cannot find this contract"],
  "gone.lead": ["주소가 잘렸거나 다른 사람의 계약이에요.", "The address is incomplete, or the contract is somebody else's."],
  "gone.go": ["내 계약 보기", "See my contracts"],

  "short.applied": ["면허 확인 중", "Licence check"],
  "short.awaiting_payment": ["결제 대기", "To be paid"],
  "short.confirmed": ["인도 예정", "Coming"],
  "short.preparing": ["인도 예정", "Coming"],
  "short.ready": ["인도 예정", "Coming"],
  "short.at_risk": ["확인 필요", "Needs attention"],
  "short.active": ["이용 중", "In use"],
  "short.swap_pending": ["교체 중", "Being swapped"],
  "short.cancel_scheduled": ["종료 예정", "Ending"],
  "short.return_scheduled": ["반납 예정", "To be returned"],
  "short.return_overdue": ["반납 지남", "Overdue"],
  "short.inspection": ["차 점검 중", "Inspection"],
  "short.settling": ["정산 중", "Settling"],
  "short.cancelled": ["취소됨", "Cancelled"],
  "short.closed": ["끝남", "Finished"],
  "short.expired": ["만료됨", "Expired"],
  "short.rejected": ["진행되지 않음", "Not accepted"],
  "short.terminated": ["해지됨", "Terminated"],
};
