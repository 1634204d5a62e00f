-- Refuses before the first write when the user's ACL lacks one of the commands that the script
-- is going to call on `key`. A denial halfway would leave a job popped from one lane and pushed
-- to none. Servers without acl_check_cmd (fakeredis) skip the check.
local function require_commands(key, names)
  if not redis.acl_check_cmd then
    return nil
  end
  local filler = { HSET = 2, ZADD = 2, HMGET = 1, RPUSH = 1, LPUSH = 1, ZREM = 1, LREM = 2, SET = 1, LRANGE = 2, LTRIM = 2 }
  for _, name in ipairs(names) do
    local allowed
    local extra = filler[name] or 0
    if extra == 2 then
      allowed = redis.acl_check_cmd(name, key, '1', '1')
    elseif extra == 1 then
      allowed = redis.acl_check_cmd(name, key, '1')
    else
      allowed = redis.acl_check_cmd(name, key)
    end
    if not allowed then
      return redis.error_reply('NOPERM the user may not run ' .. name .. ' on ' .. key)
    end
  end
  return nil
end
