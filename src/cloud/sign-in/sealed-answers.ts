/**
 * What an address of ours says to whoever comes by it: sealed, for one application on one host. So
 * a page about a sign-in can be loaded again, and neither code nor state stays in the address bar.
 *
 * @module
 */
import { base64url } from 'jose'
import * as v from 'valibot'
import { SIGN_IN_DENIALS, type SignInReason } from '../../protocol/machines/sign-in-denials.ts'
import { publishedOf } from '../directory/published.ts'
import type { Application } from '../directory/directory-port.ts'
import type { KeyRing } from '../session/key-ring.ts'
import { seal, unseal } from '../session/sealed-cookie.ts'

const text = v.string()
const Answer = v.variant('kind', [
  v.object({
    kind: v.literal('denied'),
    reason: v.picklist(Object.keys(SIGN_IN_DENIALS) as SignInReason[]),
    detail: text,
    requestId: text,
    returnTo: v.optional(text),
  }),
  /** Signed in, in a frame: does the browser bring the session? */
  v.object({ kind: v.literal('arrival'), returnTo: text }),
  /** Signed out at the issuer, to sign in as somebody else. */
  v.object({ kind: v.literal('other-account'), returnTo: text }),
])
export type SealedAnswer = v.InferOutput<typeof Answer>

export class SealedAnswers {
  readonly #ring: KeyRing

  constructor(ring: KeyRing) {
    this.#ring = ring
  }

  /** Characters of base64url and dots. */
  async seal(application: Application, answer: SealedAnswer): Promise<string> {
    const sealed = await seal(this.#ring, scopeOf(application), answer)
    return `${base64url.encode(application.id)}.${sealed}`
  }

  /** What was sealed for one of these applications; `undefined` for everything else. */
  async open(
    applications: readonly Application[],
    value: string | null,
  ): Promise<{ application: Application; answer: SealedAnswer } | undefined> {
    const [hint, ...sealed] = (value ?? '').split('.')
    const application = applications.find(({ id }) => base64url.encode(id) === hint)
    if (application === undefined) return undefined
    const opened = await unseal(this.#ring, scopeOf(application), sealed.join('.'))
    const parsed = v.safeParse(Answer, opened)
    return parsed.success ? { application, answer: parsed.output } : undefined
  }
}

const scopeOf = (application: Application) => ({
  purpose: 'answer' as const,
  tenantId: application.tenantId,
  applicationId: application.id,
  host: publishedOf(application).host,
})
