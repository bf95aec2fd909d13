local text = redis.call('GET', KEYS[1]) or ''
local fence, ends, value = string.match(text, '^(%d+) (%d+) ()')
if not int(fence) or tonumber(ends) <= now() then return false end
return {fence, string.sub(text, value)}
