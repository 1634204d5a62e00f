-- Writes a token bucket: tokens per second, how many it holds, how many there are now, and since
-- when it is there. All digits of a fraction, so that what is read is what was written.
local function write_bucket(key, bucket, now)
  redis.call('SET', key, string.format('%.17g %d %.17g %d %d', bucket.per_s, bucket.burst,
    bucket.tokens, now, bucket.since))
end
