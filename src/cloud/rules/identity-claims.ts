/** What of a user a header may tell. */
export const IDENTITY_CLAIMS = ['subject', 'name', 'email', 'groups', 'roles'] as const
/** What of a user a header may tell: one of {@link IDENTITY_CLAIMS}. */
export type IdentityClaim = (typeof IDENTITY_CLAIMS)[number]

/** A header: the claim that it tells, and how. */
export type IdentityHeader =
  | IdentityClaim
  | {
      readonly claim: IdentityClaim
      /** Default `,`. */
      readonly separator?: string
      /** Default `utf-8`. */
      readonly encoding?: 'utf-8' | 'percent'
    }

/** Which claim a header tells. */
export const claimOfHeader = (header: IdentityHeader): IdentityClaim =>
  typeof header === 'string' ? header : header.claim
