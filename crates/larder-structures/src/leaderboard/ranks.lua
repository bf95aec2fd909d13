-- ARGV: layout, rule of ties, members.
local ranks = {}
for i = 3, #ARGV do
  local score, place = held(ARGV[i])
  ranks[i - 2] = score and {num(score), rank(ARGV[2], place, score)} or false
end
return ranks
