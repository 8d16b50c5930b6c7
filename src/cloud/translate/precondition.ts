/**
 * The resources that the lists of an `If` field are tagged with. State tokens and entity tags are
 * names, and stay.
 *
 * @param translated gives `undefined` for what stays
 * @returns `undefined` when it stays as it is
 * @see RFC 4918, section 10.4
 */
export function translateTags(
  value: string,
  translated: (url: string) => string | undefined,
): string | undefined {
  let isChanged = false
  const result = value.replace(PART, (part, tag: string | undefined) => {
    const one = tag === undefined ? undefined : translated(tag)
    if (one === undefined) return part
    isChanged = true
    return `<${one}>`
  })
  return isChanged ? result : undefined
}

/** A list with all that is in it, or a tag. */
const PART = /\((?:\[(?:"[^"]*"|[^"\]])*\]|<[^>]*>|[^)[<])*\)?|<([^<>]*)>/g
