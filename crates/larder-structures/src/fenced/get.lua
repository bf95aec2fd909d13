local text = redis.call('GET', KEYS[1]) or ''
local token, ends, value = string.match(text, '^(%d+) (%d+) ()')
if not int(token) or tonumber(ends) <= now() then return false end
return {token, string.sub(text, value)}
