-- How many leases a bucket allows now: see next_token_ms.
local function whole_tokens(bucket)
  return math.max(math.floor(bucket.tokens + 0.000001), 0)
end
