/** The kill switch: what it says, and a dialog that asks for the token before anything is latched or taken back. */

import type { KillSwitch } from "../connection/kill_switch";
import { formatClockUtc } from "../format";
import type { Kill } from "../protocol/trading";
import type { Changes, Store } from "../store/store";
import { byId, setData, setText } from "./dom";
import { wordsOf } from "./trading_words";
import type { View } from "./view";

const WORDS = {
  kill: {
    title: "Stop all trading?",
    text: "No order leaves any more, and what rests is canceled. It stays so until somebody arms the switch again.",
    go: "Stop trading",
  },
  arm: {
    title: "Let orders leave again?",
    text: "Strategies go on trading as soon as the engine sees it.",
    go: "Arm",
  },
} as const;

export class KillView implements View {
  private readonly state = byId("kill-state");
  private readonly button = byId("kill-button") as HTMLButtonElement;
  private readonly dialog = byId("kill-dialog") as HTMLDialogElement;
  private readonly token = byId("kill-token") as HTMLInputElement;
  private readonly go = byId("kill-go") as HTMLButtonElement;
  private readonly error = byId("kill-error");
  private action: keyof typeof WORDS = "kill";

  constructor(private readonly killSwitch: KillSwitch) {
    this.button.addEventListener("click", () => this.ask());
    byId("kill-cancel").addEventListener("click", () => this.dialog.close());
    byId("kill-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.send();
    });
  }

  render({ trading }: Store, { parts }: Changes): void {
    if (!parts.has("engine") || trading.engine === null) return;
    const { kill } = trading.engine;
    const isKilled = kill.state === "killed";
    this.action = isKilled ? "arm" : "kill";
    setText(this.state, isKilled ? killedText(kill) : "");
    this.state.hidden = !isKilled;
    this.state.title = kill.note ?? "";
    setText(this.button, isKilled ? "Arm" : "Kill");
    setData(this.button, "action", this.action);
  }

  private ask(): void {
    const { title, text, go } = WORDS[this.action];
    setText(byId("kill-title"), title);
    setText(byId("kill-text"), text);
    setText(this.go, go);
    setData(this.go, "action", this.action);
    setText(this.error, "");
    this.token.value = this.killSwitch.token;
    this.dialog.showModal();
    // What is asked for comes first; where it is known, the way out is what Enter must not miss.
    (this.token.value === "" ? this.token : byId("kill-cancel")).focus();
  }

  private async send(): Promise<void> {
    this.go.disabled = true;
    const answer = await this.killSwitch.send(this.action, this.token.value.trim());
    this.go.disabled = false;
    if (!answer.ok) return setText(this.error, answer.reason);
    this.token.value = "";
    this.dialog.close();
  }
}

function killedText({ since_ms, reason, followed }: Kill): string {
  // The latch holds whether or not the engine runs; that it saw it is another thing.
  if (!followed) return "killed, engine silent";
  const since = since_ms === null ? "" : ` since ${formatClockUtc(since_ms)}`;
  return `killed${since}${reason === null || reason === "kill" ? "" : `: ${wordsOf(reason)}`}`;
}
