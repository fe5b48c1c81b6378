"""Texts to summarise and to classify, written for these tests."""

from __future__ import annotations

FERRY = (
    "The ferry company will end its winter service between the islands and the mainland next year.",
    "It blames the price of fuel and the age of its two ships.",
    "Since the airport opened, the number of passengers has fallen by forty percent.",
    "The island council called the decision a disaster for the school and the clinic.",
    "A spokesman for the ministry said that a public tender is possible before the spring.",
    "Several islanders have bought tickets for the last sailing on 28 November.",
    "The brass band of the harbour town wants to play on board that evening.",
    "Food will have to come by plane, and prices in the two shops are expected to rise.",
    "The fishing boats are too small to carry cars or cattle across the sound.",
    "Engineers from the city inspected the older ship and found cracks in its hull.",
    "A group of farmers offered to buy the smaller ship for a symbolic price.",
    "The company said that it will look at every serious offer until January.",
)
GARDEN = (
    "Lawns are slowly losing ground to meadows in private gardens.",
    "Four in ten owners mow less often than five years ago.",
    "Most of them say that they want to help bees and butterflies.",
    "One in three admits that it simply saves work on Saturdays.",
)
CHINESE = (
    "公司自下月起试行弹性工作制，员工可以在上午七点半至十点之间到岗。"
    "核心时段为十点至下午四点，期间须在岗或在线。"
    "各部门可根据需要另行安排，但须提前一周备案。"
    "试行期为三个月，期满后根据员工反馈决定是否正式推行。"
)
