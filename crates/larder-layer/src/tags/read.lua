if not generation then return false end
return {generation, num(changed)}
