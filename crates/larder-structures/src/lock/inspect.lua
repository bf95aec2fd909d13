local last, held, queue = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+)|([%d,;]*)|([%d,;]*)$')
if not last then return {} end
local shown = {'last_fence', last}
for fence, ends in string.gmatch(held, '(%d+),(%d+),%d+;') do
  shown[#shown + 1] = 'holder ' .. fence .. ' ends_us'
  shown[#shown + 1] = ends
end
local _, waiting = string.gsub(queue, ';', '')
shown[#shown + 1] = 'queue'
shown[#shown + 1] = waiting
return shown
