/**
 * URLs in text of which nothing else is known: JSON, scripts, whatever an application lists.
 *
 * A URL begins with its scheme, or with `//` behind a quote. It is bounded on the left by what is
 * in no host's name, on the right of its host by what may follow one there. `http:\/\/` is a
 * spelling, as JSON has it, and its translation is spelt like that.
 *
 * @module
 */
import type { UrlTranslation } from './url-translation.ts'

/** The text with its URLs translated; the same text if none was. */
export function outwardInText(text: string, translation: Pick<UrlTranslation, 'outward'>): string {
  return text.replace(URL_IN_TEXT, (written) => translatedSpelling(written, translation) ?? written)
}

/** How one begins, and its slashes; an escaped slash is a slash. */
const START = /(?:(?<![A-Za-z0-9.-])https?:|(?<=["']))(?:\/\/|\\\/\\\/)/
/** A dot at its end is that of a sentence. */
const HOST = /(?:\[[0-9A-Fa-f:.]+\]|[^\s/?#:"'<>\\),[\]@]+(?<!\.))/
/** A port, or none; what follows is no user information. */
const PORT =
  /(?::[0-9]+(?=[/?#"'<>\\),\s]|$)|:(?=[/?#])|(?=[/?#"'<>\\),\s]|$)|(?=:(?:["'<>\\),\s]|$)))(?![^\s/?#"'<>\\]*@)/
/** Up to where a URL in text ends. */
const PATH = /(?:(?:\/|\\\/)(?:[^\s?#"'<>\\),]|\\\/)*)?/
const URL_IN_TEXT = new RegExp(START.source + HOST.source + PORT.source + PATH.source, 'gi')

function translatedSpelling(
  written: string,
  translation: Pick<UrlTranslation, 'outward'>,
): string | undefined {
  const isEscaped = written.includes('\\/')
  const url = isEscaped ? written.replaceAll('\\/', '/') : written
  const translated = translation.outward(url)
  if (translated === undefined) return undefined
  // What is put together from it brings its own slash.
  const whole = hasPath(url) || !translated.endsWith('/') ? translated : translated.slice(0, -1)
  return isEscaped ? whole.replaceAll('/', '\\/') : whole
}

function hasPath(url: string): boolean {
  return url.includes('/', url.indexOf('//') + 2)
}
