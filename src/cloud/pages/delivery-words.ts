/**
 * What a user is told before they repeat a request that the application may have got.
 *
 * @module
 */
import { LATER, type Delivery } from '../../protocol/internal.ts'

/** On a page, in answer to "passed on?". */
export const PASSED_ON: Readonly<Record<Delivery, string>> = {
  none: 'No, the application did not get this request',
  unknown: 'Not known, the application may have got this request',
  reached: 'Yes, the application got this request',
}

const CHECK: Readonly<Record<Exclude<Delivery, 'none'>, string>> = {
  unknown:
    'Nobody can know whether the application got your request: check before you send it again.',
  reached: 'The application got your request: check what came of it before you send it again.',
}

/** Methods that may be repeated without harm (RFC 9110 section 9.2.1). */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/**
 * The words of an answer, for a request with this method: none that could do harm is told to be
 * tried again.
 */
export function advised(detail: string, delivery: Delivery, method: string): string {
  if (delivery === 'none' || SAFE.has(method)) return detail
  return `${detail.replace(` ${LATER}`, '')} ${CHECK[delivery]}`
}
