local text = redis.call('GET', KEYS[1])
if text and #text <= 16 and string.match(text, '^%d+$') then
  return {'tat_us', num(tonumber(text))}
end
return {}
