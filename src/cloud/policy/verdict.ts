import type { StepUpRequest } from '../../protocol/machines/sign-in.ts'
import type { Published } from '../directory/published.ts'
import type { Caller } from '../identity/caller.ts'
import type { EdgeRequest, OwnAnswer } from '../request/edge-request.ts'

/** What is decided for each request, when the caller is known. */
export type AccessVerdict =
  | { readonly kind: 'allow' }
  /** The answer, whose `code` is the reason. */
  | { readonly kind: 'deny'; readonly answer: OwnAnswer }
  /** The caller must authenticate again, and more strongly: a navigation goes to the issuer. */
  | { readonly kind: 'step-up'; readonly stepUp: StepUpRequest; readonly answer: OwnAnswer }

/** Asked on the hot path: synchronous, and expected to remember what it decided. */
export type DecideAccess = (
  application: Published,
  caller: Caller,
  request: Pick<EdgeRequest, 'id' | 'address'>,
) => AccessVerdict
