if not generation then return {} end
return {'changed_us', num(changed), 'until_us', num(kept)}
