local text = redis.call('GET', KEYS[1]) or ''
local fence, ends, value = string.match(text, '^(%d+) (%d+) ()')
if not fence then return {} end
return {'newest_fence', fence, 'value_ends_us', ends, 'bytes', #text - value + 1}
