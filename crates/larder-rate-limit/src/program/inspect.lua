local text = redis.call('GET', KEYS[1]) or ''
local moment, ban = string.match(text, '^(%d+)$'), nil
if not moment then moment, ban = string.match(text, '^(%d+)|(%d+)$') end
if not moment or #moment > 16 or #(ban or '') > 16 then return {} end
if ban then return {'tat_us', num(tonumber(moment)), 'banned_until_us', num(tonumber(ban))} end
return {'tat_us', num(tonumber(moment))}
