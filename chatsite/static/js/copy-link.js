// The link of a shared conversation, to be handed on.
import { confirmOn, write } from "./copy.js";

const link = document.querySelector(".link-row input");

link?.addEventListener("focus", () => link.select());
document.querySelector("[data-action=copy-link]")?.addEventListener("click", async ({ currentTarget }) => {
  await write(Promise.resolve(link.value));
  confirmOn(currentTarget);
});
