-- Why the holder of `token` may not settle or renew a job that is in `state` under the token
-- `held`: the error code, or nil where it may.
local function lease_error(state, held, token)
  if state == 'active' and held == token and token ~= '' then
    return nil
  end
  if token == '' then
    return 'TOKEN_REQUIRED'
  end
  return state == 'active' and 'TOKEN_MISMATCH' or 'NOT_ACTIVE'
end
