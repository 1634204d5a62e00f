-- The versions of a type as numbers, oldest first, from the field that lists them ('1 2 10', or
-- false where the type is not there).
local function version_numbers(listed)
  local versions = {}
  for digits in string.gmatch(listed or '', '%d+') do
    versions[#versions + 1] = tonumber(digits)
  end
  return versions
end
