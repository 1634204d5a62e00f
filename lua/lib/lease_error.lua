-- Why the holder of `token` may not settle or renew a job that is in `state` under the token
-- `held`: the error code, or nil where it may.
local function lease_error(state, held, token)
  if token == '' then
    return 'TOKEN_REQUIRED'
  end
  if state ~= 'active' then
    return 'NOT_ACTIVE'
  end
  if held ~= token then
    return 'TOKEN_MISMATCH'
  end
  return nil
end
