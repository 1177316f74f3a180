// The first-car guide: [Korean, English]; a line each is a paragraph. It says what we do, also where things go wrong.
export const guide = {
  "guide.month.text": [
    "차 값, 자동차세, 보험료, 정기 점검이 월 요금에 들어 있어요. 계약할 때 본 요금은 계약 기간 동안 오르지 않아요.\n기름값이나 충전비, 통행료, 주차비, 과태료는 들어 있지 않아요. 차를 쓰는 만큼 직접 내는 돈이에요.\n요금은 차를 받고 문이 실제로 열린 때부터 세요. 둘 중 늦은 쪽이 시작이에요.",
    "The car, its tax, its insurance and regular servicing are in the monthly fee. The fee you see when you sign does not rise during your contract.\nFuel or charging, tolls, parking and fines are not included: you pay those as you use the car.\nThe month begins when you have the car and its door has really opened for you, whichever is later.",
  ],
  "guide.insurance.text": [
    "계약서에 이름이 있고 면허가 확인된 사람만 운전할 수 있어요. 다른 사람이 운전하면 보험이 되지 않아요. 가족이라도 마찬가지예요.\n운전자는 다섯 명까지 등록할 수 있고, 계약한 뒤에도 ‘내 계약’에서 더하거나 뺄 수 있어요. 면허 확인은 법으로 정해진 절차예요.\n사고 때 본인이 내는 금액(자기부담금)과 보장 한도는 계약서에 적혀 있어요. 서명하기 전에 꼭 한 번 읽어 주세요.",
    "Only people who are named in the contract and whose licence has been checked may drive. If anybody else drives, even family, the insurance does not pay.\nUp to five drivers can be named, and you can add or remove them later under “My contracts”. Checking licences is required by law.\nWhat you pay yourself after an accident, and up to what the insurance pays, is written in the contract. Please read that part once before you sign.",
  ],
  "guide.day.text": [
    "약속한 시간에 담당자가 차를 가지고 와요. 출발하기 전에 차가 열리는지 우리가 먼저 확인해요. 열 수 없는 차는 출발하지 않아요.\n운전면허증을 가지고 나와 주세요. 함께 차를 한 바퀴 둘러보고, 흠집과 계기판의 주행거리를 남긴 다음 차를 넘겨받아요. 20분쯤 걸려요.\n날짜나 장소를 바꾸고 싶으면 약속 24시간 전까지 ‘내 계약’에서 바로 바꿀 수 있어요. 전화하지 않아도 돼요.",
    "Somebody brings the car at the time you chose. Before they leave we make sure that you will be able to open it: a car that cannot be opened does not leave.\nBring your driving licence. You walk around the car together, note scratches and the mileage, and take it over. It takes about twenty minutes.\nTo change day or place, use “My contracts” up to 24 hours before. You do not have to call.",
  ],
  "guide.key.text": [
    "열쇠는 차보다 먼저 택배로 보내요. 열쇠가 어디 있는지는 ‘내 계약’에서 볼 수 있어요. 받으면 열쇠의 QR 코드를 한 번 찍어 주세요. 맞는 열쇠인지 바로 알 수 있어요.\n늦거나, 다른 주소로 가거나, 다른 차의 열쇠가 오는 일도 있어요. 그러면 우리가 먼저 알고, 휴대폰으로 차를 여는 ‘스마트키’를 문자로 보내 드려요.\n그래도 차를 탈 수 없었다면, 그 시간의 요금은 받지 않아요.",
    "The key travels ahead of the car by parcel. “My contracts” shows where it is. When it arrives, scan the QR code on it once, and you know at once whether it is the right one.\nKeys can be late, go to a wrong address, or be the key of another car. We notice, and text you a smart key: a link that opens the car with your phone.\nIf you still could not use the car, that time is not charged.",
  ],
  "guide.inspect.text": [
    "밝은 곳에서 앞, 옆, 뒤, 지붕, 바퀴 순서로 한 바퀴 돌아 보세요. 흠집이 있으면 사진을 찍고 담당자에게 말해 주세요. 받기 전의 흠집은 고객님 책임이 아니에요.\n앉아서 안전벨트, 경고등, 에어컨, 와이퍼, 창문을 확인하세요. 경고등이 켜져 있으면 받지 않아도 괜찮아요.\n모르는 것은 몇 번이고 물어보세요. 처음 타는 차는 누구에게나 낯설어요.",
    "Walk around once in good light: front, sides, back, roof, wheels. Photograph scratches and tell the person who brought the car. What was there before is not yours to pay.\nSit down and try the seat belts, warning lights, air conditioning, wipers and windows. If a warning light is on, you may refuse the car.\nAsk as often as you like. Every car is strange the first time.",
  ],
  "guide.parking.text": [
    "밤에 세워 둘 곳을 먼저 정해 두세요. 아파트라면 관리사무소에 방문 차량이 아니라 ‘입주민 차량’으로 등록해야 해요. 렌터카도 계약서가 있으면 등록할 수 있어요.\n‘내 계약’에서 가까운 주차장과 요금을 찾아볼 수 있어요.\n불법 주차 과태료와 견인비는 고객님이 내야 해요. 우리 쪽 사정으로 차가 유료 주차장에 서 있었다면 그 주차비는 우리가 내요.",
    "Decide first where the car sleeps. In an apartment block, have it registered as a resident's car; with the contract you can do that for a rented car too.\n“My contracts” finds car parks nearby, with their fees.\nFines for parking and towing are yours. If the car stood in a paid car park because of us, we pay for it.",
  ],
  "guide.trouble.text": [
    "사람이 다쳤으면 119, 사고가 났으면 112에 먼저 전화하세요. 비상등을 켜고 안전한 곳으로 나와서 사진을 찍은 뒤 우리에게 알려 주세요.\n고장이면 견인과 정비는 우리가 맡아요. 차를 바꿔야 하면 ‘내 계약’에서 교체를 신청하세요. 우리 차의 결함으로 못 타는 동안은 요금을 받지 않아요.",
    "If somebody is hurt call 119; after an accident call 112. Switch on the hazard lights, get to a safe place, take pictures, then tell us.\nIf it breaks down, towing and repair are ours. If you need another car, ask for a swap under “My contracts”. While a fault of the car keeps you from driving, we do not charge.",
  ],
  "guide.return.text": [
    "계약이 끝나기 전에 돌려줄 날과 장소를 ‘내 계약’에서 정하세요. 더 타고 싶으면 그때 연장할 수 있어요.\n짐을 모두 꺼내고, 받은 열쇠를 모두 돌려주세요. 열쇠가 하나라도 빠지면 계약을 끝낼 수 없어요.\n돌려받은 차는 영업일 기준 2일 안에 점검하고, 비용이 있으면 항목별로 보여 드려요. 보통의 생활 흠집은 괜찮아요.",
    "Before the contract ends, choose day and place of the return under “My contracts”. If you want to keep the car, you can extend it there.\nTake out your things and give back every key you got. The contract cannot close while one is missing.\nWe inspect the car within two business days and show any cost item by item. Ordinary traces of use are fine.",
  ],
};
