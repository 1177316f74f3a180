// A coupon in words, wherever one is shown: [Korean, English].
export const words = {
  "coupon.fixed": ["{amount} 할인", "{amount} off"],
  "coupon.percent": ["{value}% 할인", "{value}% off"],
  "coupon.percent.most": ["{value}% 할인, 최대 {amount}", "{value}% off, at most {amount}"],
  "coupon.least": ["{amount} 이상 결제할 때", "From {amount} up"],
  "coupon.plans": ["{plans} 요금제에만", "For {plans} only"],
  "coupon.from": ["{when}부터", "From {when}"],
  "coupon.until": ["{when}까지", "Until {when}"],
};
