/**
 * Values that all parts of a configuration have.
 *
 * @module
 */
import * as v from 'valibot'
import { ConfigurationInvalid } from '../../protocol/internal.ts'

/** It appears in certificates, URLs and file names. */
export const id = v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/))
export const text = v.pipe(v.string(), v.minLength(1), v.maxLength(1024))
export const texts = v.array(text)

/** @throws ConfigurationInvalid when there is a fault */
export function refuse(path: string, fault: string | undefined): void {
  if (fault !== undefined) throw new ConfigurationInvalid(path, fault)
}
