"""The simulated National Public Service Portal (Cổng Dịch vụ công quốc gia), both generations of its interface.

Marks in these modules say how sure a name or code is: [C] confirmed in public client code or a guide, [P] seen in one
client only, [ours] chosen here since no public source shows it. No official interface document could be read: whatever
is not [C] is a profile, never a promise about the real portal.
"""
