-- ARGV: layout, TTL in milliseconds, members.
local removed = 0
for i = 3, #ARGV do
  local score, place = held(ARGV[i])
  if score then
    forget(place, score)
    removed = removed + 1
  end
end
if removed > 0 then renew(ARGV[2]) end
return removed
