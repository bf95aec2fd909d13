-- The rank of a place, from 1, by the rule of ties 'unique', 'competition' or 'dense'.
local function rank(rule, place, score)
  if rule == 'unique' then return redis.call('ZRANK', KEYS[1], place) + 1 end
  local key = rule == 'dense' and KEYS[3] or KEYS[1]
  return redis.call('ZCOUNT', key, '-inf', '(' .. num(score)) + 1
end

