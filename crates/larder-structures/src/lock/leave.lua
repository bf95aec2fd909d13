-- ARGV: owner.
local is_there = false
for i = #held, 1, -1 do
  if held[i].owner == ARGV[1] then table.remove(held, i) is_there = true end
end
for i = #queue, 1, -1 do
  if queue[i].owner == ARGV[1] then table.remove(queue, i) is_there = true end
end
if is_there then
  keep()
  wake()
end
return 1
