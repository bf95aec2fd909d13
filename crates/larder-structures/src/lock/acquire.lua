-- ARGV: owner, hold, permits, place (0: no queue, -1: no place of our own), longest queue.
local owner, hold, permits = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local place, longest = tonumber(ARGV[4]), tonumber(ARGV[5])
for _, it in ipairs(held) do
  if it.owner == owner then return {1, num(it.fence), num(it.ends - at)} end
end
local mine
for i, it in ipairs(queue) do
  if it.owner == owner then mine = i end
end
local free, ahead = permits - #held, 0
if place ~= 0 then ahead = (mine or #queue + 1) - 1 end
if ahead < free then
  if mine then table.remove(queue, mine) end
  last = math.max(last + 1, at)
  held[#held + 1] = {fence = last, ends = at + hold, owner = owner}
  keep()
  return {1, num(last), num(hold)}
end
if place > 0 then
  if mine then
    queue[mine].ends = at + place
  elseif #queue >= longest then
    return {2, 0, 0}
  else
    queue[#queue + 1] = {ends = at + place, owner = owner}
  end
  keep()
end
-- When the first of those who are before us has ended. What is free is theirs, and they hold it from now on for
-- as long as we would: nobody wakes us if they let it lapse.
local first
if free > 0 then first = at + hold end
for _, it in ipairs(held) do first = math.min(first or it.ends, it.ends) end
for i = 1, ahead do first = math.min(first or queue[i].ends, queue[i].ends) end
return {0, 0, num(first - at)}
