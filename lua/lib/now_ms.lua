-- The time in ms: the server's, so that skewed client clocks cannot expire each other's leases.
-- `override` other than '0' replaces it; only tests pass one.
local function now_ms(override)
  if override ~= '0' then
    return tonumber(override)
  end
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end
