-- The end of a lease that starts or is renewed now. Counted from now, never from the old end:
-- otherwise each heartbeat would push the moment at which a crash is noticed further away.
local function lease_end(now, timeout_ms)
  if timeout_ms <= 0 then
    timeout_ms = 60000
  end
  return string.format('%d', now + timeout_ms)
end
