-- KEYS[1]: the holds of a showing.
local now = now()
local held = {}
local all = redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
  local ends, holder = string.match(all[at + 1], '^(%d+) (.*)$')
  if now < tonumber(ends) then
    held[#held + 1] = {all[at], num(tonumber(ends) - now), holder}
  end
end
return held
