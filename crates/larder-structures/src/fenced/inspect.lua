local text = redis.call('GET', KEYS[1]) or ''
local token, ends, value = string.match(text, '^(%d+) (%d+) ()')
if not token then return {} end
return {'newest_token', token, 'value_ends_us', ends, 'bytes', #text - value + 1}
