/**
 * Segments of an application, as a person writes them.
 *
 * @see docs/publishing.md
 * @module
 */
import type { ApplicationPolicyInput } from '../rules/access-policy-input.ts'
import type { AssignmentInput } from './application-input.ts'

/** A part of an application with admission of its own. */
export interface SegmentInput {
  /**
   * Which part, as users see it: the subtree below a path that ends in `/`, or exactly one file.
   * The longest counts. It begins with the path of the external URL.
   */
  readonly path: string
  /**
   * `oidc`: whoever asks must be signed in to the application. `passthrough`: nobody is asked who
   * they are, and the application is not told. Default: `oidc`.
   */
  readonly preAuthentication?: 'oidc' | 'passthrough' | undefined
  /**
   * Who may use it, in the place of those of the application; `everyone`: every user the issuer
   * signs in. Default: those of the application.
   */
  readonly assigned?: AssignmentInput | 'everyone' | undefined
  /**
   * Its policies, in the place of the application's own; those of the tenant count as well.
   * Default: those of the application.
   */
  readonly policies?: readonly ApplicationPolicyInput[] | undefined
}
