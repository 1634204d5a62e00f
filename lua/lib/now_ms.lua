-- The time in ms: the server's, so that skewed client clocks cannot expire each other's leases.
-- `override` other than '0' replaces it; only tests pass one. A string of digits: Redis formats a
-- number anew for each call that it is passed to, which costs more than the call's own work; Lua
-- reckons with it as with a number, but comparisons need tonumber.
local function now_ms(override)
  if override ~= '0' then
    return override
  end
  local t = redis.call('TIME')
  -- Seconds, and of the microseconds, with a 1 in front that keeps their zeros, the first three.
  return t[1] .. string.sub(t[2] + 1000000, 2, 4)
end
