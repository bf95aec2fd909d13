local ban, counted_until, refusals, holds, states =
  string.match(redis.call('GET', KEYS[1]) or '', '^(%d+)|(%d+),(%d+)|([%d,;]*)|(.*)$')
if not ban then return {} end
local shown = {'banned_until_us', ban, 'refusals', refusals, 'refusals_until_us', counted_until}
for _, ends, units in string.gmatch(holds, '(%d+),(%d+),(%d+);') do
  shown[#shown + 1] = 'held until_us ' .. ends
  shown[#shown + 1] = units
end
local i = 0
for tag, body in string.gmatch(states, '(%l)([%d,]*)|') do
  i = i + 1
  local limit, log = string.match(body, '^(%d+),(%d*)$')
  if tag == 'l' and limit then
    body = limit .. ',' .. #log / 16 .. ',' .. string.sub(log, 1, 16) .. ',' .. string.sub(log, -16)
  end
  shown[#shown + 1] = 'rule ' .. i .. ' ' .. tag
  shown[#shown + 1] = body
end
return shown
