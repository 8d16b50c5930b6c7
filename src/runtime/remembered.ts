/** What was made of `key` before, or is made of it now. It is forgotten with the key. */
export function remembered<K extends object, V>(known: WeakMap<K, V>, key: K, make: () => V): V {
  let value = known.get(key)
  if (value === undefined) known.set(key, (value = make()))
  return value
}
