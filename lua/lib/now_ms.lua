-- The time in ms: the server's, so that skewed client clocks cannot expire each other's leases.
-- `override` other than '0' replaces it; only tests pass one. A string of digits: Redis formats a
-- number anew for each call that it is passed to, which costs more than the call's own work; Lua
-- reckons with it as with a number, but comparisons need tonumber.
local function now_ms(override)
  if override ~= '0' then
    return override
  end
  local t = redis.call('TIME')
  return string.format('%d', tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000))
end
