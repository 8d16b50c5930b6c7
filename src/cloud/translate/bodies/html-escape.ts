import type { Escape } from './edits.ts'

/** For the value of an attribute, in whatever quotes it is, or in none. */
export const htmlEscaped: Escape = (text) =>
  text.replace(/[&<>"'`=\s]/g, (character) => `&#${character.charCodeAt(0)};`)
