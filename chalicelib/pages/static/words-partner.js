// The first texts of the partner page: [Korean, English].
export const words = {
  title: ["파트너", "Partners"],
  boot: ["불러오고 있어요", "Loading"],
  out: ["로그아웃", "Sign out"],
  lost: ["응답을 받지 못했어요. 잠시 뒤에 다시 눌러 주세요.", "No answer reached us. Please press again in a moment."],

  "in.title": ["로그인", "Sign in"],
  "in.lead": ["포장, 배송, 인도를 맡은 분들의 페이지예요.", "For those who pack, deliver and hand over."],
  "in.user": ["아이디", "User name"],
  "in.password": ["비밀번호", "Password"],
  "in.go": ["로그인", "Sign in"],
  "in.refused": ["아이디 또는 비밀번호가 맞지 않아요.", "The user name or the password is not right."],
  "in.challenge": ["첫 비밀번호를 먼저 바꿔야 해요. 담당자에게 알려 주세요.", "The first password must be changed. Please tell operations."],
  "in.unconfirmed": ["아직 확인되지 않은 계정이에요. 담당자에게 알려 주세요.", "This account is not confirmed yet. Please tell operations."],
  "in.forbidden": ["이 계정은 파트너 그룹에 없어요.", "This account is in no partner group."],
  "in.lost": ["페이지를 다 받지 못했어요. 신호가 있는 곳에서 다시 눌러 주세요.", "The page did not load completely. Please try again where there is a signal."],
  "in.ended": ["로그인 시간이 끝났어요. 다시 로그인해 주세요. 스캔은 이 휴대폰에 그대로 있어요.", "Your sign-in has ended. Please sign in again; your scans are kept on this phone."],
  "in.without": ["로그인하지 않고 계속 스캔하기", "Go on scanning without signing in"],
};
