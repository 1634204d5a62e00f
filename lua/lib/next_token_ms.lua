-- When a bucket without a whole token has one. A millionth is forgiven: fractions are not exact,
-- and whoever comes at this time must find it.
local function next_token_ms(bucket, now)
  return tonumber(now) + math.max(math.ceil((0.999999 - bucket.tokens) * 1000 / bucket.per_s), 1)
end
