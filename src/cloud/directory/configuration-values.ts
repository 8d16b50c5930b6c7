/**
 * Values that all parts of a configuration have.
 *
 * @module
 */
import * as v from 'valibot'
import type { TellMistake } from '../../runtime/configuration-mistakes.ts'

/** It appears in certificates, URLs and file names. */
export const id = v.pipe(
  v.string(),
  v.regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
    'must begin with a letter or digit, and have only those, ".", "_" and "-"; 128 at the most',
  ),
)
export const text = v.pipe(v.string(), v.minLength(1), v.maxLength(1024))
export const texts = v.array(text)

/** Tells a fault that there is. */
export function tellFault(tell: TellMistake, path: string, fault: string | undefined): void {
  if (fault !== undefined) tell(path, fault)
}

/** Whether users reach it by https; where its URL is not known, nothing is held against it. */
export const isHttps = (externalUrl: string | undefined) =>
  externalUrl === undefined || externalUrl.startsWith('https:')
