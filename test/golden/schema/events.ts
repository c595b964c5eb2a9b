// Made by `weir schema ts`, of the domains' event types: createWeir<WeirEvents>(…)

export type PlayerAction = {
  action_type?: string | null;
  game_level?: string | null;
  platform?: string | null;
  region?: string | null;
};

/** a match is over */
export type MatchEnded = {
  /** which match */
  match_id: string;
  /** as others see it, "quoted" | *| and all */
  nick?: string | null;
  email?: string | null;
  birthday?: string | null;
  card?: number | null;
  home?: string | null;
  country?: string | null;
  ip?: string | null;
  ended_at?: string | number | Date | null;
  began_at?: string | number | Date | null;
  won?: boolean | null;
  ranked: boolean;
  code?: "C-1_a.[x]*" | "C-22_.[x]*" | null;
  /** @deprecated use mode */
  old_mode?: string | null;
  mode: "duel" | "team" | "it's";
  stars?: 1 | 2 | 3 | null;
  score: number;
  accuracy?: number | null;
  /** what the winner gets */
  prize?: number | `${number}` | null;
  entry: number | `${number}`;
};

/** @deprecated use player_action */
export type PlayerAction_ = {
  action_type?: string | null;
};

export type Purchase = {
  product_id?: string | null;
  amount?: number | `${number}` | null;
};

export type Sale = {
  currency: string;
  /** which one */
  till?: number | null;
  seller?: string | null;
  amount: number | `${number}`;
  /** in kilograms @deprecated use mass */
  weight?: number | null;
};

export type WeirEvents = {
  player_action: PlayerAction;
  match_ended: MatchEnded;
  /** @deprecated use player_action */
  PlayerAction: PlayerAction_;
  purchase: Purchase;
  sale: Sale;
};
