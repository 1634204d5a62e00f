-- Puts the tokens of unstarted jobs back into a bucket. Returns whether there is one. What has come
-- in since such a job was leased counts against its token: it may have run over a full bucket,
-- which the token would have made full sooner. A job that was leased before the limit was set, or
-- changed, has taken none of it.
local function add_tokens(key, unstarted, now)
  local bucket = read_bucket(redis.call('GET', key), now)
  if not bucket then
    return false
  end
  local credit = 0
  for _, job in ipairs(unstarted) do
    if job.since > bucket.since then
      local passed = math.max(tonumber(now) - job.since, 0)
      credit = credit + math.max(1 - passed * bucket.per_s / 1000, 0)
    end
  end
  bucket.tokens = math.min(bucket.burst, bucket.tokens + credit)
  write_bucket(key, bucket, now)
  return true
end
