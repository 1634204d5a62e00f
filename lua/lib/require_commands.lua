-- Refuses before the first write when the user's ACL lacks one of the commands that the script
-- is going to call on `key`. A denial halfway would leave a job popped from one lane and pushed
-- to none. Servers without acl_check_cmd (fakeredis) skip the check.
local function require_commands(key, names)
  if not redis.acl_check_cmd then
    return nil
  end
  for i = 1, #names do
    -- The server looks at the name and the key; further arguments would only cost time.
    if not redis.acl_check_cmd(names[i], key) then
      return redis.error_reply('NOPERM the user may not run ' .. names[i] .. ' on ' .. key)
    end
  end
  return nil
end
