"""Campaigns and their budgets, coupon codes, "my coupons", and the holding of a discount for a checkout.

Owns the table `<stage>-coupons`. Publishes CampaignCreated, CodeBatchRequested, CodeBatchContinued,
CodeBatchVoided, CouponGiven and CouponVoided; hears what it says of batches.
"""
