local last, held, queue = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+)|([%d,;]*)|([%d,;]*)$')
if not last then return {} end
local shown = {'last_fence', last}
for fence, ends in string.gmatch(held, '(%d+),(%d+),%d+;') do
  shown[#shown + 1] = 'holder ' .. fence .. ' ends_us'
  shown[#shown + 1] = ends
end
-- Places that have ended stay until the next write.
local at, waiting = now(), 0
for d in string.gmatch(queue, '(%d+),%d+;') do
  local ends = tonumber(d)
  if ends > at and ends <= 9007199254740992 then waiting = waiting + 1 end
end
shown[#shown + 1] = 'queue'
shown[#shown + 1] = waiting
return shown
