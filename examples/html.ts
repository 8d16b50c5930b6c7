/**
 * Text in pages that a program writes. The cloud has this too, and programs beside it do not load
 * a cloud for it.
 */
const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** The text as it stands in HTML, between tags or in an attribute. */
export const escape = (text: string) => text.replace(/[&<>"']/g, (character) => ESCAPES[character]!)
