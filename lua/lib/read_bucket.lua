-- The token bucket of a rate limit, as `write_bucket` has written it, filled up until now; nil
-- where there is none. A lease takes a token. A clock that was put back takes none away.
local function read_bucket(text, now)
  local per_s, burst, tokens, at_ms, since =
    string.match(text or '', '^(%S+) (%S+) (%S+) (%S+) (%S+)$')
  if not per_s then
    return nil
  end
  local bucket = { per_s = tonumber(per_s), burst = tonumber(burst), since = tonumber(since) }
  local passed = math.max(tonumber(now) - tonumber(at_ms), 0)
  bucket.tokens = math.min(bucket.burst, tonumber(tokens) + passed * bucket.per_s / 1000)
  return bucket
end
